-- Beats of nodes are counted: who watches them measures silence by its own clock. Nodes of before write
-- `seen_at` only, which counts as a beat too where it changes; for all others it is there to be shown.
ALTER TABLE nodes ADD COLUMN beat bigint NOT NULL DEFAULT 0;
