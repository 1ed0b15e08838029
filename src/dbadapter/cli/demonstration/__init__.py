"""The demo's parts: what is worked on, who works, what is shown, and the story that puts them together."""
