"""The pages that people open in a browser: sign-in, the dashboard, an agent's own page."""
