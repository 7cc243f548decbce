// Attacks
