"""The simulated Sawyer and its room: a driver like any other, and the judge of the exam."""
