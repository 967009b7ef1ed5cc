"""How a choice is declared: frozen configs, annotated hyperparameters, and their sampling."""
