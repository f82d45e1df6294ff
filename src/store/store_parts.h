/*
 * store_parts.h - what store.c and merge.c share: the room of SQLite.
 */
#ifndef AOR_STORE_STORE_PARTS_H
#define AOR_STORE_STORE_PARTS_H

#include <sqlite3.h>

#include "base/fs.h"
#include "store/store.h"

/* The lock of a run file's writer. */
int store_lock(const char *path, struct fs_lock *ret, struct err *err);

/*
 * store_open for who has the lock already: *lock is the store's from now on, also on failure. An
 * empty lock with a mode that writes is for a scratch file, which has neither journal nor sync.
 */
int store_open_holding(const char *path, enum store_mode mode, struct fs_lock *lock,
                       struct store **ret, struct err *err);

sqlite3 *store_db(const struct store *s);

/* Say what SQLite says of db, which is the file at path. Always -1. */
int store_db_fail(sqlite3 *db, const char *path, struct err *err);

#endif
