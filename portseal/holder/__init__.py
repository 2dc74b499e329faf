"""The holder's side: a USB key on the holder's own machine, and the service over HTTP."""
