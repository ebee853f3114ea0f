//go:build linux && (amd64 || arm64)

package cage

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allowed are the system calls of Go's runtime and of parsers, on every
// architecture. Whether openat finds anything is Landlock's to say.
var allowed = []uint32{
	// Files that are open, or that Landlock lets be opened.
	unix.SYS_READ, unix.SYS_PREAD64, unix.SYS_READV, unix.SYS_PREADV, unix.SYS_WRITE, unix.SYS_WRITEV, unix.SYS_PWRITE64,
	unix.SYS_CLOSE, unix.SYS_LSEEK, unix.SYS_FSTAT, unix.SYS_STATX, unix.SYS_OPENAT, unix.SYS_GETDENTS64, unix.SYS_READLINKAT,
	unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_FCNTL, unix.SYS_FLOCK, unix.SYS_FSYNC, unix.SYS_GETCWD, unix.SYS_DUP, unix.SYS_DUP3,
	unix.SYS_UNLINKAT, unix.SYS_RENAMEAT, unix.SYS_MKDIRAT, unix.SYS_FTRUNCATE,
	// The channel, which is there already.
	unix.SYS_RECVMSG, unix.SYS_SENDMSG, unix.SYS_RECVFROM, unix.SYS_SENDTO, unix.SYS_SHUTDOWN,
	unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME, unix.SYS_GETSOCKOPT, unix.SYS_SETSOCKOPT,
	// Memory.
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK, unix.SYS_MEMBARRIER,
	// Threads and waiting.
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_SET_TID_ADDRESS,
	unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_RESTART_SYSCALL, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2, unix.SYS_PIPE2, unix.SYS_PPOLL,
	// Signals to itself.
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_TIMER_CREATE, unix.SYS_TIMER_SETTIME, unix.SYS_TIMER_DELETE, unix.SYS_SETITIMER,
	// What can be asked.
	unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETTID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID,
	unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_GETTIMEOFDAY, unix.SYS_GETRANDOM, unix.SYS_UNAME, unix.SYS_SYSINFO,
	unix.SYS_GETRUSAGE, unix.SYS_GETRLIMIT,
}

// Offsets in struct seccomp_data: the number, the architecture, and the lower
// half of the first and third argument (both architectures are little endian).
const (
	offNumber = 0
	offArch   = 4
	offFirst  = 16
	offThird  = 32
)

// Classic BPF.
const (
	load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	isEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	hasBits = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	ret     = unix.BPF_RET | unix.BPF_K
)

// filter is the program: what it doesn't allow fails with EPERM, clone3 with
// ENOSYS, so that the C library falls back to clone, whose flags can be seen.
func filter(pid int) []unix.SockFilter {
	const (
		allow  = unix.SECCOMP_RET_ALLOW
		refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	program := []unix.SockFilter{
		{Code: load, K: offArch},
		{Code: isEqual, K: auditArch, Jt: 1},
		{Code: ret, K: refuse},
		{Code: load, K: offNumber},
	}
	for _, number := range slices.Concat(allowed, allowedHere) {
		program = append(program, unix.SockFilter{Code: isEqual, K: number, Jf: 1}, unix.SockFilter{Code: ret, K: allow})
	}
	// One argument decides: the rest of the program is skipped for other numbers.
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
	decide(unix.SYS_PRLIMIT64, offThird, isEqual, 0) // ask, don't set; the upper half of a pointer to user space says nothing alone
	return append(program,
		unix.SockFilter{Code: isEqual, K: unix.SYS_CLONE3, Jf: 1},
		unix.SockFilter{Code: ret, K: absent},
		unix.SockFilter{Code: ret, K: refuse})
}

// installFilter puts the filter on all threads of this process.
func installFilter() error {
	program := filter(os.Getpid())
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	tid, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	switch {
	case errors.Is(errno, unix.ENOSYS), errors.Is(errno, unix.EINVAL):
		return errors.New("this kernel has no seccomp filters")
	case errno != 0:
		return fmt.Errorf("installing a seccomp filter: %w", errno)
	case tid != 0:
		return fmt.Errorf("installing a seccomp filter: thread %d can't be made to follow", tid)
	}
	return nil
}
