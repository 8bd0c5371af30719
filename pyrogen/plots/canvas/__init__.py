"""What every figure stands on: its look, its checked inputs, images side by side."""
