"""dbadapter in the frameworks that apps are made with; each module needs its framework, and nothing else does."""
