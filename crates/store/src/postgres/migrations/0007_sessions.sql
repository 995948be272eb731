-- How somebody came in and from where; and, of those whom another issuer vouches for, which issuer and by which of its roles. None in
-- sessions of earlier versions.
ALTER TABLE refresh_tokens ADD COLUMN means text;
ALTER TABLE refresh_tokens ADD COLUMN origin text;
ALTER TABLE refresh_tokens ADD COLUMN issuer text;
ALTER TABLE refresh_tokens ADD COLUMN granted text;
