-- Which programs were seen to use which token. Nothing is decided by it: whom the operator has stopped is kept in the list of latest changes.
CREATE TABLE consumers (
    identity      text COLLATE "C" NOT NULL,
    own_name      text COLLATE "C" NOT NULL, -- empty where it gives itself none
    api           text COLLATE "C" NOT NULL,
    identity_name text COLLATE "C" NOT NULL,
    access_path   text COLLATE "C" NOT NULL,
    generation    bigint, -- NULL before its first token
    moved_at      text COLLATE "C",
    last_seen_at  text COLLATE "C" NOT NULL,
    PRIMARY KEY (identity, own_name, api)
);
