package cage

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// allowedHere are calls that go by another name here.
var allowedHere = []uint32{unix.SYS_FSTATAT}

// refusedHere are calls that only this architecture's table has by that name.
var refusedHere = []uint32{unix.SYS_KEXEC_FILE_LOAD}
