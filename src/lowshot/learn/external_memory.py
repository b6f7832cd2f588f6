"""Memories outside a network: rows that a controller writes to and reads from, all of it differentiable.

A memory is a module that is called once a time step with the controller's output, and a state: tensors with the batch as
first axis. ``start`` gives the state of a memory that is empty.

Shape suffixes: B batch, N rows of the memory, M numbers a row, H heads, K controller outputs, S shifts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

State = tuple[Tensor, ...]

_EMPTY = 1e-6  # what an empty memory holds: a cosine with zeros would have no gradient
_SHIFTS = (-1, 0, 1)


def cosines(keys_BHM: Tensor, memory_BNM: Tensor) -> Tensor:
    """Cosine of each key with each row, (B, H, N); about 0 with a row of zeros (Graves et al. 2014, equation 6)."""
    squares_BHN = keys_BHM.square().sum(dim=2)[:, :, None] * memory_BNM.square().sum(dim=2)[:, None]
    return torch.bmm(keys_BHM, memory_BNM.mT) * (squares_BHN + _EMPTY**2).rsqrt()


class ExternalMemory(nn.Module, ABC):
    """``rows`` of ``width`` numbers with ``heads`` heads that read and as many that write; ``reads`` numbers come out."""

    def __init__(self, rows: int, width: int, heads: int) -> None:
        super().__init__()
        self.rows, self.width, self.heads = rows, width, heads
        self.reads = heads * width

    @abstractmethod
    def start(self, batch: int, like: Tensor) -> State:
        """The state of empty memories, on the device and in the precision of ``like``."""

    @abstractmethod
    def forward(self, controller_BK: Tensor, state: State) -> tuple[Tensor, State]:
        """What is read, (B, reads), after what the controller wanted was written; and the new state."""


class LeastRecentlyUsed(ExternalMemory):
    """Least recently used access, LRUA (Santoro et al. 2016, section 3.2).

    Each head writes a vector to the row it read last, or to one of the rows that were used least, as its gate says; then
    it reads by the cosine with its key:

        w^w_t = σ(α) w^r_{t-1} + (1 - σ(α)) w^lu_{t-1}
        M_t = M_{t-1}, its least used rows set to zero, + w^w_t a_t
        w^r_t = softmax(cosine(k_t, M_t)),  r_t = w^r_t M_t
        w^u_t = γ w^u_{t-1} + w^r_t + w^w_t

    w^lu is 1 at one of the n least used rows, n being the number of heads, another row for each head.

    Args:
        decay: γ.
        own_vector: write a vector a_t of its own; otherwise a_t is the key k_t, as in the paper.
        strength: start of a positive number, learned for each head and time, by which the cosines are multiplied; 0 for
            none, as in the paper. Without it no row of 128 can have more than e² / (e² + 127) = 5.5 % of a read.
    """

    def __init__(
        self,
        controller: int,
        *,
        rows: int = 128,
        width: int = 40,
        heads: int = 4,
        decay: float = 0.99,
        own_vector: bool = False,
        strength: float = 0,
    ) -> None:
        super().__init__(rows, width, heads)
        self.decay = decay
        self.parts = [width, 1] + [width] * own_vector + [1] * (strength > 0)  # key, gate, vector, strength
        self.own_vector, self.strength = own_vector, strength
        self.interface = nn.Linear(controller, heads * sum(self.parts))

    def start(self, batch: int, like: Tensor) -> State:
        """Memory (B, N, M), read weights (B, H, N) and usage (B, N): row 0 was read last."""
        first_N = functional.one_hot(torch.tensor(0, device=like.device), self.rows).to(like.dtype)
        memory_BNM = like.new_full((batch, self.rows, self.width), _EMPTY)
        return memory_BNM, first_N.repeat(batch, self.heads, 1), first_N.repeat(batch, 1)

    def forward(self, controller_BK: Tensor, state: State) -> tuple[Tensor, State]:
        """See the class."""
        memory_BNM, read_BHN, usage_BN = state
        parts = self.interface(controller_BK).unflatten(1, (self.heads, -1)).split(self.parts, dim=2)
        key_BHM, gate_BH1 = parts[0].tanh(), parts[1].sigmoid()
        vector_BHM = parts[2].tanh() if self.own_vector else key_BHM

        rows_BH = usage_BN.topk(self.heads, dim=1, largest=False).indices
        least_BHN = torch.zeros_like(read_BHN).scatter_(2, rows_BH[:, :, None], 1)
        kept_BN = torch.ones_like(usage_BN).scatter_(1, rows_BH, 0)
        write_BHN = least_BHN.lerp(read_BHN, gate_BH1)
        memory_BNM = torch.baddbmm(memory_BNM * kept_BN[:, :, None], write_BHN.mT, vector_BHM)

        match_BHN = cosines(key_BHM, memory_BNM)
        if self.strength:
            match_BHN = match_BHN * functional.softplus(parts[-1] + self.strength)
        read_BHN = match_BHN.softmax(dim=2)
        with torch.no_grad():  # usage only chooses rows, and a choice has no gradient
            usage_BN = (read_BHN + write_BHN).sum(dim=1).add_(usage_BN, alpha=self.decay)
        return torch.bmm(read_BHN, memory_BNM).flatten(1), (memory_BNM, read_BHN, usage_BN)


class NeuralTuringMachine(ExternalMemory):
    """Addressing by content and by location (Graves, Wayne & Danihelka 2014, section 3.3), writing by erase and add (3.2).

    Each of the heads, ``heads`` that write and then ``heads`` that read, has weights of its own, moved at each step:

        w^c = softmax(β cosine(k, M_{t-1}))                      (equation 5)
        w^g = g w^c + (1 - g) w_{t-1}                            (7)
        w~(i) = sum_j w^g(j) s(i - j), shifts by -1, 0 or 1      (8)
        w(i) = w~(i)^γ / sum_j w~(j)^γ                           (9)

    M_t(i) = M_{t-1}(i) prod_h (1 - w_h(i) e_h) + sum_h w_h(i) a_h over the heads that write (3 and 4), whence the others
    read.
    """

    def __init__(self, controller: int, *, rows: int = 128, width: int = 40, heads: int = 4) -> None:
        super().__init__(rows, width, heads)
        self.addresses = [width, 1, 1, len(_SHIFTS), 1]  # k, β, g, s, γ
        self.interface = nn.Linear(controller, 2 * heads * sum(self.addresses))
        self.vectors = nn.Linear(controller, 2 * heads * width)

    def start(self, batch: int, like: Tensor) -> State:
        """Memory (B, N, M) and the weights of the heads that write and read (B, 2H, N), all at row 0."""
        first_N = functional.one_hot(torch.tensor(0, device=like.device), self.rows).to(like.dtype)
        memory_BNM = like.new_full((batch, self.rows, self.width), _EMPTY)
        return memory_BNM, first_N.repeat(batch, 2 * self.heads, 1)

    def forward(self, controller_BK: Tensor, state: State) -> tuple[Tensor, State]:
        """See the class."""
        memory_BNM, weights_BHN = state
        addresses = self.interface(controller_BK).unflatten(1, (2 * self.heads, -1)).split(self.addresses, dim=2)
        weights_BHN = address(weights_BHN, memory_BNM, *addresses)
        write_BHN, read_BHN = weights_BHN.chunk(2, dim=1)

        erase_BHM, add_BHM = self.vectors(controller_BK).unflatten(1, (2 * self.heads, -1)).chunk(2, dim=1)
        kept_BNM = (1 - write_BHN[..., None] * erase_BHM.sigmoid()[:, :, None]).prod(dim=1)
        memory_BNM = torch.baddbmm(memory_BNM * kept_BNM, write_BHN.mT, add_BHM.tanh())
        return torch.bmm(read_BHN, memory_BNM).flatten(1), (memory_BNM, weights_BHN)


def address(
    weights_BHN: Tensor,
    memory_BNM: Tensor,
    key_BHM: Tensor,
    beta_BH1: Tensor,
    gate: Tensor,
    shift: Tensor,
    gamma: Tensor,
) -> Tensor:
    """Where each head goes from where it was, (B, H, N); the controller's numbers may have any value."""
    content_BHN = (functional.softplus(beta_BH1) * cosines(key_BHM.tanh(), memory_BNM)).softmax(dim=2)
    gated_BHN = weights_BHN.lerp(content_BHN, gate.sigmoid())
    turned_SBHN = torch.stack([gated_BHN.roll(by, dims=2) for by in _SHIFTS])
    shifted_BHN = (shift.softmax(dim=2).movedim(2, 0)[..., None] * turned_SBHN).sum(dim=0)
    sharp_BHN = (shifted_BHN + _EMPTY) ** (1 + functional.softplus(gamma))
    return sharp_BHN / sharp_BHN.sum(dim=2, keepdim=True)
