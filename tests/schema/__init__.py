"""Schemas: one model, two backends."""
