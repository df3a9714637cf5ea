"""Who may call: certificates, tokens and roles."""
