// Sends the answer on to the platform that asked for it; without scripts a person presses the button.
document.getElementById("form-post").submit();
