"""From a normalised action to joint velocity and back. Pure; called by `loops`."""
