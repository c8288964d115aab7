"""Ripieno."""
