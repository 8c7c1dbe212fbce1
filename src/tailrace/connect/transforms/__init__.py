"""Single message transforms: small changes to each record between connector and topic (KIP-66), one file each."""
