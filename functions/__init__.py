"""The Lambda functions: a thin entry point each."""
