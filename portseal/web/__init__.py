"""What all pages share: layout, language, errors; and the application that mounts every room."""
