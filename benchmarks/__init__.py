"""How fast it is, beside what others use; see `README.md` here. Nothing in it is a test, and nothing else imports it."""
