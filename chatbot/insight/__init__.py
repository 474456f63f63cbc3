"""What is known and what happened, made readable for the people who write the answers."""
