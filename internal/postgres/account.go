package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is who the server runs as when we are root.
type account struct{ uid, gid int }

// accountFor returns the owner of an existing cluster, so that it stays readable; for a new one
// the user postgres, or nobody where there is none.
func accountFor(cluster string) (*account, error) {
	info, err := os.Stat(cluster)
	if err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
			return &account{uid: int(owner.Uid), gid: int(owner.Gid)}, nil
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("look at the cluster: %w", err)
	}
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			return accountOf(found)
		}
	}
	return nil, errors.New("postgres does not run as root, and there is neither a user postgres nor nobody to run it as")
}

func accountOf(u *user.User) (*account, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, fmt.Errorf("group of user %s: %w", u.Username, err)
	}
	return &account{uid: uid, gid: gid}, nil
}

// credential is what the kernel needs to become the account.
func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)} //nolint:gosec // ids come from the system, where they are 32 bits
}
