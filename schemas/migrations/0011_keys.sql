-- Keys with what tells rows apart first: the tenant is the same for most, and every comparison on the way down an index would begin with it.
DO $$
DECLARE
  keyed regclass[] := ARRAY['throughline.customer', 'throughline.conversation', 'throughline.message']::regclass[];
  command text;
  restore text[];
BEGIN
  -- Foreign keys hold on to the index that they were made with.
  SELECT array_agg('ALTER TABLE ' || conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid))
  INTO restore FROM pg_constraint WHERE contype = 'f' AND confrelid = ANY(keyed);
  FOR command IN
    SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(conname)
    FROM pg_constraint WHERE contype = 'f' AND confrelid = ANY(keyed)
  LOOP
    EXECUTE command;
  END LOOP;
  ALTER TABLE throughline.customer DROP CONSTRAINT customer_pkey, ADD PRIMARY KEY (id, tenant_id);
  ALTER TABLE throughline.conversation DROP CONSTRAINT conversation_pkey, ADD PRIMARY KEY (id, tenant_id);
  ALTER TABLE throughline.message DROP CONSTRAINT message_pkey, ADD PRIMARY KEY (id, tenant_id);
  FOREACH command IN ARRAY restore LOOP
    EXECUTE command;
  END LOOP;
END $$;

ALTER TABLE throughline.message_key DROP CONSTRAINT message_key_pkey, ADD PRIMARY KEY (key, tenant_id);
ALTER TABLE throughline.message_ref DROP CONSTRAINT message_ref_pkey, ADD PRIMARY KEY (key, tenant_id);
