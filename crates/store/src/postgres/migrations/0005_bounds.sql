-- What narrows the role of an account, in the words of those who check it. An account without has all of its role.
ALTER TABLE users ADD COLUMN bounds text;
