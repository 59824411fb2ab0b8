"""The rules of retries and approvals, as plain functions over frozen values."""
