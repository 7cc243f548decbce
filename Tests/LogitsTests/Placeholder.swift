// Logits
