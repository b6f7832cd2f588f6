"""Full-context embeddings: every example seen in the light of the whole support set (Vinyals et al. 2016).

Both modules start from features that a network gave of each image alone, and give features of the same length.

Shape suffixes: E episodes, N support examples, M queries, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SupportContext(nn.Module):
    """g(x_i, S): a bidirectional LSTM over the support set, with a skip connection (appendix A.2).

    g = h_forward + h_backward + g', where g' are the features alone. The set is read as a sequence, in the order given.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, features, batch_first=True, bidirectional=True)

    def forward(self, support_END: Tensor) -> Tensor:
        """Features (E, N, D) in context, from features alone. Computed in float32 even under autocast."""
        with torch.autocast(support_END.device.type, enabled=False):
            forward_END, backward_END = self.lstm(support_END)[0].chunk(2, dim=-1)
        context_END: Tensor = forward_END + backward_END + support_END
        return context_END


class QueryContext(nn.Module):
    """f(x, S): an LSTM that reads the support set by attention, ``steps`` times (section 2.1.2 and appendix A.1).

    With f' the query's features alone and g those of the support set in context, for k = 1 … steps

        r_{k-1} = sum_i softmax_i(h_{k-1} · g_i) g_i
        h^_k, c_k = LSTM(f', [h_{k-1}, r_{k-1}], c_{k-1})
        h_k = h^_k + f'

    and f = h_steps. From h_0 = 0 the first read is the mean of the set.
    """

    def __init__(self, features: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        # The gates are linear in f', h and r alike, so r may stand beside the input f' as well as beside the state h.
        self.cell = nn.LSTMCell(2 * features, features)

    def forward(self, query_EMD: Tensor, support_END: Tensor) -> Tensor:
        """Features (E, M, D) of the queries, from theirs alone and the support set's in context; float32."""
        with torch.autocast(query_EMD.device.type, enabled=False):
            hidden_EMD, memory_XD = torch.zeros_like(query_EMD), torch.zeros_like(query_EMD).flatten(0, 1)
            for _ in range(self.steps):
                read_EMD = (hidden_EMD @ support_END.mT).softmax(dim=-1) @ support_END
                inputs = torch.cat([query_EMD, read_EMD], dim=-1).flatten(0, 1)
                lstm_XD, memory_XD = self.cell(inputs, (hidden_EMD.flatten(0, 1), memory_XD))
                hidden_EMD = lstm_XD.view_as(query_EMD) + query_EMD
        return hidden_EMD
