"""The tests mirror the tree; `contracts` holds the laws that every driver inherits."""
