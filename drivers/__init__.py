"""Adapters between the library's protocols and real (or fake) devices."""
