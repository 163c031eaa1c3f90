"""`rig doctor`: is this machine, its network and its robot fit for work? Each check is a function."""
