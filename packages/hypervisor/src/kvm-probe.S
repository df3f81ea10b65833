/*
 * The guest of the KVM probe: from reset through protected mode to 64-bit mode with paging, a loop
 * over the stack, then one byte to the debug-exit port. Placed at F000:0000; the reset vector jumps there.
 * Its bytes stand in kvm-probe.ts:  as -o p.o kvm-probe.S && ld -Ttext=0 --oformat binary -o p.bin p.o && xxd -p p.bin
 */
.code16
.global _start
_start:            /* at F000:0000 */
  cli
  lgdtl %cs:gdtr
  mov %cr0,%eax
  or $1,%al
  mov %eax,%cr0
  ljmpl $8,$(0xF0000+pm)
.code32
pm:
  mov $16,%ax
  mov %ax,%ds
  mov %ax,%es
  mov %ax,%ss
  mov $0x8000,%esp
  /* As firmware does: a KVM that interprets this mode takes minutes to boot anything, and is of no use. */
  mov $20000000,%ecx
3: loop 3b
  mov $0x1000,%edi
  xor %eax,%eax
  mov $0xc00,%ecx
  rep stosl
  movl $0x2003,0x1000
  movl $0x3003,0x2000
  movl $0x83,0x3000
  mov %cr4,%eax
  or $0x20,%eax
  mov %eax,%cr4
  mov $0x1000,%eax
  mov %eax,%cr3
  mov $0xc0000080,%ecx
  rdmsr
  or $0x100,%eax
  wrmsr
  mov %cr0,%eax
  or $0x80000000,%eax
  mov %eax,%cr0
  ljmp $24,$(0xF0000+lm)
.code64
lm:
  mov $16,%ax
  mov %ax,%ds
  mov %ax,%ss
  mov $0x8000,%rsp
  xor %eax,%eax
  cpuid
  mov $100000,%rcx
  xor %rax,%rax
1: add %rcx,%rax
  push %rax
  pop %rbx
  loop 1b
  mov $5000050000,%rdx
  cmp %rdx,%rax
  jne 2f
  mov $0x10,%al
  out %al,$0xf4
2: hlt
  jmp 2b
.balign 8
/*
 * Accessed already: a processor that loads a segment notes that in its descriptor, and this one lies in read-only
 * memory. Under KVM on AMD's processors such a write never ends.
 */
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
  .quad 0x00af9b000000ffff
gdtr:
  .word 31
  .long 0xF0000+gdt
