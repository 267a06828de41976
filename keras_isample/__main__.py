"""`python -m keras_isample`."""

from keras_isample.cli import main

main()
