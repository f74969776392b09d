"""The signatures behind the command line: standard-library types only; what is heavy is imported inside.

Every command returns an Answer; ValueError, KeyError, OSError and ImportError become one sentence and exit code 2.
"""
