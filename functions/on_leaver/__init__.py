"""Events of the CRM."""
