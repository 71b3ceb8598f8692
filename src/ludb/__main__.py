"""`python -m ludb` is the command line."""

from ludb.cli.app import main

if __name__ == "__main__":
    main()
