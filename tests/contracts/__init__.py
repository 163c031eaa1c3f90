"""The laws of each protocol, as base classes: a driver's tests inherit them and say how to make the driver."""
