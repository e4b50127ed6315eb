-- With another master key what was sealed under the one before is sealed anew.
GRANT UPDATE (sealed_seed) ON signing_keys TO pinfold_app;
