"""Pure rules of stake, reputation, pay and punishment; none of them moves a credit itself."""
