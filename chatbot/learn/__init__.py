"""Better answers from what happened: train the models, calibrate the decision, evaluate on held-out dialogues."""
