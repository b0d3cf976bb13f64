"""What every task shares; imports neither a task nor its MM package."""
