-- An identity that has been seen under the lock of its customer need not be read again as long as nothing is taken from them: whoever takes
-- an identity away says so in the customer's row, a worker or somebody by hand. Who does it by hand locks the customers first, by their ids.

ALTER TABLE throughline.customer ADD COLUMN identities_version bigint NOT NULL DEFAULT 0;

CREATE FUNCTION throughline.count_identity_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE throughline.customer SET identities_version = identities_version + 1
  WHERE id = OLD.customer_id AND tenant_id = OLD.tenant_id;
  RETURN NULL;
END $$;

-- Not when it is seen again, nor when it becomes surer.
CREATE TRIGGER identity_changed AFTER UPDATE ON throughline.identity FOR EACH ROW
WHEN (
  (OLD.customer_id, OLD.valid_to, OLD.shared, OLD.value, OLD.scope, OLD.kind, OLD.tenant_id)
  IS DISTINCT FROM (NEW.customer_id, NEW.valid_to, NEW.shared, NEW.value, NEW.scope, NEW.kind, NEW.tenant_id)
  OR NEW.assurance < OLD.assurance)
EXECUTE FUNCTION throughline.count_identity_change();
CREATE TRIGGER identity_deleted AFTER DELETE ON throughline.identity FOR EACH ROW
EXECUTE FUNCTION throughline.count_identity_change();
ALTER TABLE throughline.identity ENABLE ALWAYS TRIGGER identity_changed, ENABLE ALWAYS TRIGGER identity_deleted;
