package cage

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rights on files, of Landlock's first ABI unless said otherwise (landlock(7)).
const (
	toRead    = unix.LANDLOCK_ACCESS_FS_READ_FILE
	toList    = unix.LANDLOCK_ACCESS_FS_READ_DIR
	toExecute = unix.LANDLOCK_ACCESS_FS_EXECUTE
	toWrite   = unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	toChange  = toWrite | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR
	everything = 1<<13 - 1
)

// RestrictThread puts Landlock on the calling thread, which must be locked to
// its goroutine and end with it: it can't be taken off. Processes started from
// that thread inherit it. An error means that nothing has changed but
// no_new_privs.
func RestrictThread(f Files) error {
	abi, err := landlockABI()
	if err != nil {
		return err
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handled(abi)}
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	// The fields after these are newer than the kernels that are in use.
	size := unsafe.Offsetof(attr.Scoped)
	if abi < 4 {
		size = unsafe.Offsetof(attr.Handled_access_net)
	}
	ruleset, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return fmt.Errorf("making a Landlock ruleset: %w", errno)
	}
	defer func() { _ = unix.Close(int(ruleset)) }()
	if err := addRules(int(ruleset), f, attr.Handled_access_fs); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); errno != 0 {
		return fmt.Errorf("restricting a thread with Landlock: %w", errno)
	}
	return nil
}

func landlockABI() (int, error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch {
	case errors.Is(errno, unix.ENOSYS):
		return 0, errors.New("this kernel has no Landlock (5.13 and later have)")
	case errors.Is(errno, unix.EOPNOTSUPP):
		return 0, errors.New("this kernel has Landlock switched off (boot parameter lsm=)")
	case errno != 0:
		return 0, fmt.Errorf("asking for Landlock: %w", errno)
	}
	return int(abi), nil
}

// handled are the rights that are taken away where no rule gives them back.
func handled(abi int) uint64 {
	rights := uint64(everything)
	if abi >= 2 {
		rights |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		rights |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 5 {
		rights |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	return rights
}

func addRules(ruleset int, f Files, handled uint64) error {
	allow := func(path string, rights uint64) error {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return &fs.PathError{Op: "opening", Path: path, Err: err}
		}
		defer func() { _ = unix.Close(fd) }()
		rule := unix.LandlockPathBeneathAttr{Allowed_access: rights & handled, Parent_fd: int32(fd)}
		_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
			uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
		if errno != 0 {
			return &fs.PathError{Op: "allowing", Path: path, Err: errno}
		}
		return nil
	}
	if err := allow(f.Executable, toExecute|toRead); err != nil {
		return err
	}
	if err := allow(os.DevNull, toRead|toWrite); err != nil { // the child's standard input and output
		return err
	}
	run := f.Run
	if run == nil && dynamic(f.Executable) {
		run = []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/nix/store", "/gnu/store"}
	}
	for _, path := range run {
		rights := uint64(toExecute | toRead)
		if info, err := os.Stat(path); err != nil {
			continue
		} else if info.IsDir() {
			rights |= toList
		}
		if err := allow(path, rights); err != nil {
			return err
		}
	}
	for _, dir := range f.Read {
		if err := allow(dir, toRead|toList); err != nil {
			return err
		}
	}
	for _, dir := range f.Write {
		if err := allow(dir, toRead|toList|toChange); err != nil {
			return err
		}
	}
	return nil
}

// dynamic reports whether a program needs the loader and libraries to start.
// docsvc itself is linked statically; its tests with the race detector are not.
func dynamic(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return true
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return true
		}
	}
	return false
}
