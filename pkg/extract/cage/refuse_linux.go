//go:build linux && (amd64 || arm64)

package cage

import (
	"fmt"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refused are the system calls that a program reading a file has no business
// with, on every architecture.
var refused = []uint32{
	// The network, and handing descriptors on.
	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
	// Other processes.
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD,
	unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO, unix.SYS_TKILL, unix.SYS_KCMP,
	unix.SYS_SETPGID, unix.SYS_SETSID, unix.SYS_SETRLIMIT,
	// The machine.
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_FSOPEN, unix.SYS_FSMOUNT,
	unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_MOUNT_SETATTR, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_IO_URING_SETUP, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEXEC_LOAD, unix.SYS_INIT_MODULE,
	unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF,
	unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME,
	unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
}

// foreign is the first number of calls of another convention (x32), of which
// the list says nothing.
const foreign = 0x40000000

// refusal is the program that lets everything through but refused. It is put
// on before execve, which leaves the process's number as it is.
func refusal(pid int) []unix.SockFilter {
	const (
		allow   = unix.SECCOMP_RET_ALLOW
		refuse  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		absent  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		atLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	)
	program := []unix.SockFilter{
		{Code: load, K: offArch},
		{Code: isEqual, K: auditArch, Jt: 1},
		{Code: ret, K: refuse},
		{Code: load, K: offNumber},
		{Code: atLeast, K: foreign, Jf: 1},
		{Code: ret, K: refuse},
	}
	for _, number := range slices.Concat(refused, refusedHere) {
		program = append(program, unix.SockFilter{Code: isEqual, K: number, Jf: 1}, unix.SockFilter{Code: ret, K: refuse})
	}
	decide := func(number, offset uint32, test uint16, k uint32) {
		program = append(program,
			unix.SockFilter{Code: isEqual, K: number, Jf: 4},
			unix.SockFilter{Code: load, K: offset},
			unix.SockFilter{Code: test, K: k, Jf: 1},
			unix.SockFilter{Code: ret, K: allow},
			unix.SockFilter{Code: ret, K: refuse})
	}
	decide(unix.SYS_CLONE, offFirst, hasBits, unix.CLONE_THREAD)
	decide(unix.SYS_TGKILL, offFirst, isEqual, uint32(pid))
	decide(unix.SYS_KILL, offFirst, isEqual, uint32(pid))
	decide(unix.SYS_PRLIMIT64, offThird, isEqual, 0)
	return append(program,
		unix.SockFilter{Code: isEqual, K: unix.SYS_CLONE3, Jf: 1},
		unix.SockFilter{Code: ret, K: absent},
		unix.SockFilter{Code: ret, K: allow})
}

// refuseCalls puts the filter on the calling thread.
func refuseCalls() error {
	program := refusal(os.Getpid())
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return fmt.Errorf("installing a seccomp filter: %w", errno)
	}
	return nil
}
