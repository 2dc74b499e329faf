"""Papers that applicants hand in: what is taken, how it is kept, the pictures people see."""
