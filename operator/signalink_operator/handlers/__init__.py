"""kopf: watches the resources and hands every event on. Only this package and the login import it, `apply` never."""
