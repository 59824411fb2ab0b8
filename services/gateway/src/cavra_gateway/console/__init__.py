"""The Evidence Console: server-rendered pages over the same commands and reads as the HTTP API."""
