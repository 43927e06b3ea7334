"""The scripts that go with an exported model; they need no mfbo."""
