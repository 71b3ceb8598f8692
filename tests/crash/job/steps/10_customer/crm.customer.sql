select unit_key, name, {'id': 'legacy-' || id, '@referredType': 'Individual'} as "engagedParty"
from legacy.customers
