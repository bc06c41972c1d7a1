"""What all functions share: the policy, the rules, the use cases, and one adapter file per AWS service."""
