select s.unit_key, service_id, 'Line ' || service_id as name, state,
  {'id': 'CFS-MOBILE-01', '@type': 'ServiceSpecificationRef'} as "serviceSpecification",
  [{'id': crm.new, 'role': 'customer', '@referredType': 'Customer'}] as "relatedParty"
from legacy.services s join keys.crm_id crm using (unit_key)
